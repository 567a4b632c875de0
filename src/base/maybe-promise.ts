/**
 * Values that are there already, or come later: what WebCrypto answers later, `node:crypto` and in-process stores answer at once.
 *
 * @module
 */

/** A value, or a promise of it: a backend answers at once where its platform can. */
export type MaybePromise<T> = T | Promise<T>

/** Whether a value is yet to come. Stores and backends of others may have promises of their own kind, or of another realm. */
export function isLater<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof (value as Partial<Promise<T>> | undefined)?.then === "function"
}

/** Goes on with a value, at once where it is there: awaiting costs more than much of what the protocol does between two waits. */
export function andThen<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return isLater(value) ? value.then(next) : next(value)
}
