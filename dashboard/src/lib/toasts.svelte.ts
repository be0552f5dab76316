// What just happened, said once, out loud for screen readers.

import { say } from "./api";

export interface Toast {
  id: number;
  text: string;
  isError: boolean;
}

class Toasts {
  all: Toast[] = $state([]);
  private made = 0;

  say(text: string, isError = false): void {
    const id = ++this.made;
    this.all.push({ id, text, isError });
    setTimeout(() => this.drop(id), isError ? 9000 : 4500);
  }

  drop(id: number): void {
    this.all = this.all.filter((toast) => toast.id !== id);
  }

  /** Run a deed; what goes wrong is said. Whether it went well. */
  async attempt(deed: () => Promise<unknown>, done = ""): Promise<boolean> {
    try {
      await deed();
    } catch (error) {
      this.say(say(error), true);
      return false;
    }
    if (done) this.say(done);
    return true;
  }
}

export const toasts = new Toasts();
