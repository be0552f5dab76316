import { alertPath, post } from "./api";
import { fleet } from "./fleet.svelte";
import { toasts } from "./toasts.svelte";
import type { Alert } from "./wire";

/** Acknowledge, or take it back. The alert as it stands then; null when it could not be done. */
export async function heed(alert: Alert, acknowledged: boolean): Promise<Alert | null> {
  let changed: Alert | null = null;
  await toasts.attempt(async () => {
    const verb = acknowledged ? "acknowledge" : "unacknowledge";
    changed = (await post<{ alert: Alert }>(`${alertPath(alert.id)}/${verb}`)).alert;
    fleet.tookAlert(changed);
  }, acknowledged ? "Acknowledged" : "No longer acknowledged");
  return changed;
}
