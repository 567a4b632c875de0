/**
 * Clients hang commands, parameters and connection options onto their errors, passwords included: of a client's error
 * only the words go on.
 *
 * @module
 */

/** A copy of an error with its name and its words, without credentials in URLs. */
export function withoutSecrets(error: unknown): Error {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  return Object.assign(new Error(message.replace(/\/\/[^\s/]*@/g, "//")), { name })
}
