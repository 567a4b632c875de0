/**
 * `sealwire/fields`: seal parts of a JSON document, and data-protection policies.
 *
 * @module
 */

export type { JsonObject, JsonValue } from "./base/json-value.ts"
export type { FieldAction, HashAction, MaskAction, SealAction } from "./fields/actions.ts"
export type { Places } from "./fields/document.ts"
export type { FieldPolicies } from "./fields/field-policies.ts"
export { openFields, type OpenFieldsOptions } from "./fields/open-fields.ts"
export type { OpenedFields } from "./fields/opened-fields.ts"
export { createPolicy, type FieldEffect, type Policy, type PolicyOptions } from "./fields/policy.ts"
export type { RuleSources } from "./fields/rules.ts"
export type { Segments } from "./fields/pointer.ts"
export { sealFields, type SealFieldsOptions } from "./fields/seal-fields.ts"
export type { PartedRequest, SealedFields } from "./http/parted-request.ts"
export { type FieldRoutes, sealedFields } from "./http/sealed-fields.ts"
