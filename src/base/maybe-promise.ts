/**
 * Values that are there already, or come later: what WebCrypto answers later, `node:crypto` and in-process stores answer at once.
 *
 * @module
 */

/** A value, or a promise of it: a backend answers at once where its platform can. */
export type MaybePromise<T> = T | Promise<T>

/** Goes on with a value, at once where it is there: awaiting costs more than much of what the protocol does between two waits. */
export function andThen<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
