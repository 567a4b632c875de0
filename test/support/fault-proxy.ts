/**
 * A TCP proxy on the loopback interface that a test can make fail: between a client and a real server.
 *
 * @module
 */

import { createServer, type AddressInfo, connect, type Socket } from "node:net"

/** A proxy in front of one server. */
export interface FaultProxy {
  readonly port: number
  /** Lets bytes through again, at once. */
  pass(): void
  /** Holds back the server's bytes until `pass`; the client's still arrive. */
  stall(): void
  /** Ends every connection as soon as the server answers: its command was done, its answer is lost. */
  cutBeforeReply(): void
  /** Hands over only the first bytes of what the client sends next, then ends the connection. */
  cutInCommand(byteCount: number): void
  /** Ends every connection; the next ones go to another server. */
  redirect(port: number): void
  close(): Promise<void>
}

type Fault =
  | { readonly kind: "pass" | "stall" | "cutBeforeReply" }
  | { readonly kind: "cutInCommand"; byteCount: number }

/** Starts a proxy in front of a server on the same machine. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  let fault: Fault = { kind: "pass" }
  let target = targetPort
  const pairs = new Map<Socket, Socket>()
  const held = new Map<Socket, Buffer[]>()

  function fromClient(client: Socket, upstream: Socket, bytes: Buffer): void {
    if (fault.kind !== "cutInCommand") {
      upstream.write(bytes)
      return
    }
    upstream.end(bytes.subarray(0, fault.byteCount))
    client.destroy()
  }

  function fromServer(client: Socket, bytes: Buffer): void {
    if (fault.kind === "cutBeforeReply") client.destroy()
    else if (fault.kind === "stall") held.set(client, [...(held.get(client) ?? []), bytes])
    else client.write(bytes)
  }

  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1")
    pairs.set(client, upstream)
    const end = (): void => {
      pairs.delete(client)
      held.delete(client)
      client.destroy()
      upstream.destroy()
    }
    client.on("data", (bytes: Buffer) => {
      fromClient(client, upstream, bytes)
    })
    upstream.on("data", (bytes: Buffer) => {
      fromServer(client, bytes)
    })
    for (const socket of [client, upstream]) socket.setNoDelay(true).on("close", end).on("error", end)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))

  return {
    port: (server.address() as AddressInfo).port,
    pass() {
      fault = { kind: "pass" }
      for (const [client, parts] of held) client.write(Buffer.concat(parts))
      held.clear()
    },
    stall() {
      fault = { kind: "stall" }
    },
    cutBeforeReply() {
      fault = { kind: "cutBeforeReply" }
    },
    cutInCommand(byteCount) {
      fault = { kind: "cutInCommand", byteCount }
    },
    redirect(port) {
      target = port
      for (const client of pairs.keys()) client.destroy()
    },
    close() {
      for (const client of pairs.keys()) client.destroy()
      return new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
      })
    },
  }
}
