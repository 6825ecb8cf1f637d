// One step of the control database's schema.

export interface Migration {
  /** Unique and lasting: the store remembers by it what has been applied. */
  readonly name: string;
  /** One or more statements, all names qualified with `sallyport.`; run in one transaction. */
  readonly sql: string;
}
