// The keyboard: a page says what its keys do for as long as it is shown.

type Deed = () => void;

class Keys {
  isHelpOpen = $state(false);
  private deeds = new Map<string, Deed>();

  /** For use in $effect: returns what takes the keys back. */
  use(deeds: Record<string, Deed>): () => void {
    for (const [key, deed] of Object.entries(deeds)) this.deeds.set(key, deed);
    return () => {
      for (const [key, deed] of Object.entries(deeds)) if (this.deeds.get(key) === deed) this.deeds.delete(key);
    };
  }

  press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target as HTMLElement;
    if (document.querySelector("dialog[open]")) return;
    if (target.closest("input:not([type=range]), textarea, select, [contenteditable]")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (["Enter", " "].includes(event.key) && target.closest("a, button, summary")) return;
    const deed = event.key === "?" ? () => (this.isHelpOpen = true) : this.deeds.get(event.key);
    if (deed === undefined) return;
    event.preventDefault();
    deed();
  }
}

export const keys = new Keys();
