/**
 * A policy over the documents of HTTP messages: the head of the message is a member of the document, `$head`, that is always
 * sealed. docs/protocol.md §11.1.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { canonicalJson, serializeJson } from "../base/canonical-json.ts"
import type { JsonObject, JsonValue } from "../base/json-value.ts"
import { copyBytes, decodeUtf8 } from "../base/text.ts"
import { applyRules, askMoreThanSeals, assertApplied, expectedBy, wantedSealed } from "./apply-rules.ts"
import type { ArrivedDocument, FieldsCodec } from "./codec.ts"
import { assertLacks, choosePlaces, fieldsContext, readDocument, takeOut } from "./document.ts"
import { assertExpected, assertRequired, refuseFields } from "./expected.ts"
import { parseSealed, part, restore } from "./open-fields.ts"
import { HEAD_MEMBER, SEALED_MEMBER } from "./pointer.ts"
import type { Rule } from "./rules.ts"

const HEAD_POINTER = `/${HEAD_MEMBER}`

const bodyOf = (text: string): Bytes => copyBytes(text, "document")

/** What is no UTF-8 is no JSON. */
const readBody = (body: Bytes): JsonObject => readDocument(decodeUtf8(body) ?? "", "the body")

function readOwn(body: Bytes): JsonObject {
  const own = readBody(body)
  assertLacks(own, SEALED_MEMBER)
  assertLacks(own, HEAD_MEMBER)
  return own
}

/** Takes the head out of what was sealed; whatever has none was not sealed as an HTTP message. */
function takeHead(rest: JsonObject, values: JsonObject): string {
  const { [HEAD_POINTER]: head } = values
  if (head === undefined || Object.hasOwn(rest, HEAD_MEMBER)) return refuseFields("it is no HTTP message")
  Reflect.deleteProperty(values, HEAD_POINTER)
  return serializeJson(head)
}

function readArrived(rules: readonly Rule[], text: string, outer: Bytes): ArrivedDocument {
  const { rest, envelope } = part(text)
  return {
    envelope,
    context: fieldsContext(outer, rest),
    open(message) {
      const values = parseSealed(message)
      const head = takeHead(rest, values)
      const sealed = restore(rest, values)
      assertExpected(rest, sealed, expectedBy(rules))
      assertApplied(rules, rest)
      return { head, body: bodyOf(serializeJson(rest)) }
    },
  }
}

/** A document out of a body that is authentic. */
function readHeld(body: Bytes): JsonObject {
  try {
    return readBody(body)
  } catch {
    return refuseFields("its body is no document")
  }
}

/** The codec of a policy. */
export function policyCodec(rules: readonly Rule[]): FieldsCodec {
  return {
    async apply(body) {
      const own = readOwn(body)
      await applyRules(rules, own)
      return bodyOf(JSON.stringify(own))
    },
    part(body, head, outer) {
      const rest = readOwn(body)
      const taken = takeOut(rest, choosePlaces(rest, wantedSealed(rules)))
      const sealed = { ...taken, [HEAD_POINTER]: JSON.parse(head) as JsonValue }
      return {
        message: bodyOf(canonicalJson(sealed)),
        context: fieldsContext(outer, rest),
        withEnvelope: (envelope) => JSON.stringify({ ...rest, [SEALED_MEMBER]: envelope }),
      }
    },
    read: (text, outer) => readArrived(rules, text, outer),
    assertHeld(body) {
      if (!askMoreThanSeals(rules)) return
      const document = readHeld(body)
      assertRequired(document, expectedBy(rules))
      assertApplied(rules, document)
    },
    withoutRequired: () =>
      policyCodec(
        rules.map(({ pattern, treatment }) => ({ pattern, treatment: { ...treatment, isRequired: false } })),
      ),
  }
}
