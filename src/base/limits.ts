/**
 * Implementation limits. None of them is part of the protocol: changing one changes no bytes.
 *
 * @module
 */

/** Largest message that is sealed or opened unless the caller says otherwise: 16 MiB. */
export const MAX_MESSAGE_BYTES: number = 16 * 1024 * 1024

/** Largest metadata of a stream or file: 64 KiB. */
export const MAX_METADATA_BYTES: number = 64 * 1024
