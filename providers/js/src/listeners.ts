// Who wants to be told of what.

/** Handlers by event; one that throws stops neither the others nor whoever tells. */
export class Listeners<Events extends object> {
  #handlers = new Map<keyof Events, Set<(about: never) => void>>();

  /** Adds a handler; the result takes it away again. */
  on<Name extends keyof Events>(name: Name, handler: (about: Events[Name]) => void): () => void {
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers.add(handler));
    return () => void handlers.delete(handler);
  }

  /** Tells everyone. */
  tell<Name extends keyof Events>(name: Name, about: Events[Name]): void {
    for (const handler of this.#handlers.get(name) ?? []) {
      try {
        (handler as (about: Events[Name]) => void)(about);
      } catch (error) {
        console.error("flagstone: a handler failed:", error);
      }
    }
  }
}
