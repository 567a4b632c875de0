/**
 * Who is at the other end of a Node socket.
 *
 * @module
 */

/** The address of a peer that is on this machine, at the other end of a Unix socket. */
export const UNIX_PEER = "unix"

/** What is used of a Node socket; `server` is the server that has accepted it. */
export interface NodeSocket {
  readonly remoteAddress?: string | undefined
}

/** A Unix socket has no address, but neither has a TCP one that is gone: the server knows which it was. */
function isUnix(socket: NodeSocket): boolean {
  const { server } = socket as { readonly server?: { address?(): unknown } | null }
  return typeof server?.address === "function" && typeof server.address() === "string"
}

/** What a socket says of the connection. */
export function peerOfSocket(socket: NodeSocket): {
  readonly address: string | undefined
  readonly encrypted: boolean
} {
  return {
    address: socket.remoteAddress ?? (isUnix(socket) ? UNIX_PEER : undefined),
    encrypted: "encrypted" in socket && socket.encrypted === true,
  }
}
