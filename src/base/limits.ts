/**
 * Implementation limits. None of them is part of the protocol: changing one changes no bytes.
 *
 * @module
 */

/** Largest message that is sealed or opened unless the caller says otherwise: 16 MiB. */
export const MAX_MESSAGE_BYTES: number = 16 * 1024 * 1024
