// How somebody likes to see the fleet; kept while the page is open.

import type { GroupKey, SortKey, Wanted } from "./listing";
import type { Standing } from "./words";

class View implements Wanted {
  text = $state("");
  standings: ReadonlySet<Standing> = $state.raw(new Set<Standing>());
  sort: SortKey = $state("status");
  isDescending = $state(false);
  group: GroupKey = $state("");
  /** The first-run page has been seen to its end. */
  isDone = $state(false);

  clear(): void {
    this.text = "";
    this.standings = new Set();
  }
}

export const view = new View();
