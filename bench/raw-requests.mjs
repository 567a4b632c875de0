/**
 * Requests as bytes over plain sockets that are kept: what a flood needs of a client, and no more, since it shares its processors with
 * the server that it floods. Reads of an answer what says where it ends, and its status.
 *
 * @module
 */

import { connect } from "node:net"

/** As many as an agent of `node:http` was given here before; what finds none free waits for one. */
const MOST_CONNECTIONS = 512
const HEAD_END = "\r\n\r\n"

/** The status of an answer that is all there; undefined until then. */
function statusOf(text) {
  const end = text.indexOf(HEAD_END)
  if (end < 0) return undefined
  const length = /^content-length: (\d+)\r$/im.exec(text.slice(0, end + 2))?.[1]
  if (length === undefined) throw new Error(`an answer without a length: ${text.slice(0, end)}`)
  return text.length < end + HEAD_END.length + Number(length) ? undefined : Number(text.slice(9, 12))
}

/** Sends to a port of this machine. */
export function createSender(port) {
  const free = []
  const waiting = []
  let open = 0

  function openConnection() {
    open++
    const connection = {
      socket: connect(port, "127.0.0.1").setNoDelay(),
      done: undefined,
      isLast: false,
      text: "",
    }
    const { socket } = connection
    const finish = (status) => {
      const { done } = connection
      Object.assign(connection, { done: undefined, text: "" })
      if (connection.isLast) socket.destroy()
      else if (!socket.destroyed) release(connection)
      done?.(status)
    }
    socket.on("data", (chunk) => {
      connection.text += chunk.latin1Slice()
      const status = statusOf(connection.text)
      if (status === undefined) return
      connection.isLast ||= /^connection: close\r$/im.test(connection.text)
      finish(status)
    })
    socket.on("error", () => undefined)
    socket.on("close", () => {
      open--
      if (free.includes(connection)) free.splice(free.indexOf(connection), 1)
      finish(0)
      waiting.shift()?.(openConnection())
    })
    return connection
  }

  function release(connection) {
    const next = waiting.shift()
    if (next) next(connection)
    else free.push(connection)
  }

  async function take() {
    const connection = free.pop()
    if (connection) return connection
    return open < MOST_CONNECTIONS ? openConnection() : new Promise((resolve) => waiting.push(resolve))
  }

  /**
   * Sends a POST; gives the status of its answer, or 0 where the connection was cut.
   *
   * @param saysBytes - What its head says of its length; undefined for a body that says nothing and is sent as one chunk.
   */
  async function send(path, headers, body, saysBytes) {
    const bytes = typeof body === "string" ? Buffer.from(body, "latin1") : body
    const lines = Object.entries({ host: "127.0.0.1", ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    )
    const head = `POST ${path} HTTP/1.1\r\n${lines.join("")}`
    const parts =
      saysBytes === undefined
        ? [
            `${head}transfer-encoding: chunked\r\n\r\n${bytes.length.toString(16)}\r\n`,
            bytes,
            `\r\n0\r\n\r\n`,
          ]
        : [`${head}content-length: ${saysBytes}\r\n\r\n`, bytes]
    const connection = await take()
    // of a body that is announced longer than it is sent, the end never comes
    connection.isLast = saysBytes !== undefined && saysBytes !== bytes.length
    return new Promise((resolve) => {
      connection.done = resolve
      connection.socket.cork()
      for (const part of parts) connection.socket.write(part, "latin1")
      connection.socket.uncork()
    })
  }
  return {
    send,
    close() {
      for (const { socket } of [...free]) socket.destroy()
    },
  }
}
