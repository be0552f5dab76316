// Dark or light: the system's choice, until somebody chooses here.

export type Theme = "system" | "light" | "dark";

const KEPT = "clawatch.theme";
const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

class Appearance {
  theme: Theme = $state("system");

  start(): void {
    const kept = localStorage.getItem(KEPT);
    this.set(kept === "light" || kept === "dark" ? kept : "system");
  }

  next(): void {
    this.set(NEXT[this.theme]);
  }

  private set(theme: Theme): void {
    this.theme = theme;
    if (theme === "system") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem(KEPT);
    } else {
      document.documentElement.dataset.theme = theme;
      localStorage.setItem(KEPT, theme);
    }
  }
}

export const appearance = new Appearance();
