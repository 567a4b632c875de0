import { configs as regexp } from "eslint-plugin-regexp"
import tsdoc from "eslint-plugin-tsdoc"
import { defineConfig } from "eslint/config"
import tseslint from "typescript-eslint"

const { syntax } = /** @type {Record<"syntax", import("eslint").Rule.RuleModule>} */ (tsdoc.rules)

/**
 * The syntax rule of TSDoc, which would have us escape the ">" of a quoted warning, and so break it.
 *
 * @type {import("eslint").Rule.RuleModule}
 */
const tsdocSyntax = {
  ...syntax,
  create(context) {
    /** @param {import("eslint").Rule.ReportDescriptor} found */
    const report = (found) => {
      if (!("messageId" in found) || found.messageId !== "tsdoc-escape-greater-than") context.report(found)
    }
    /** @type {import("eslint").Rule.RuleContext} */
    const filtered = Object.create(context, { report: { value: report } })
    return syntax.create(filtered)
  },
}

export default defineConfig(
  { ignores: ["dist/", "temp/", "coverage/", "node_modules/", "**/node_modules/"] },
  {
    files: ["**/*.ts", "**/*.js"],
    extends: [
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
      regexp["flat/recommended"],
    ],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: "error",
      // sizes and counts belong in messages
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // taking members off an object by name
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      // callers in plain JavaScript do not keep to the types, and String() also takes a symbol
      "@typescript-eslint/no-unnecessary-type-conversion": "off",
      "@typescript-eslint/no-unnecessary-boolean-literal-compare": "off",
      // it asks for the "!" that another rule forbids
      "@typescript-eslint/non-nullable-type-assertion-style": "off",
      // what was caught is passed on as it is
      "@typescript-eslint/prefer-promise-reject-errors": ["error", { allowThrowingUnknown: true }],
      // answers rather than errors: what is no Error has no stack, which is most of an error's cost
      "@typescript-eslint/only-throw-error": ["error", { allow: [{ from: "file", name: "Refusal" }] }],
      // a table of characters reads the way the standard writes it
      "regexp/use-ignore-case": "off",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // `async` also turns what is thrown into a rejection
      "@typescript-eslint/require-await": "off",
      "regexp/no-super-linear-move": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
    },
  },
  {
    files: ["tools/**", "demo/**", "*.js", "*.ts"],
    languageOptions: { parserOptions: { projectService: false, project: "tools/tsconfig.json" } },
  },
  {
    files: ["**/*.js"],
    rules: {
      // these two do not see JSDoc's casts; tsc, which checks these files too, does
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-return": "off",
    },
  },
  {
    files: ["src/**/*.ts"],
    plugins: { tsdoc: { rules: { syntax: tsdocSyntax } } },
    rules: {
      "max-lines": ["error", { max: 400 }],
      "max-lines-per-function": ["error", { max: 50 }],
      "tsdoc/syntax": "error",
    },
  },
  {
    // a suite is a list of cases, as long as it is
    files: ["src/contracts/**", "test/**"],
    rules: {
      "max-lines-per-function": "off",
      "@typescript-eslint/unbound-method": "off",
      // a backend may answer at once: what is waited for is a value or a promise of it
      "@typescript-eslint/await-thenable": "off",
    },
  },
  {
    // tests hand over what the types forbid
    files: ["test/**"],
    rules: {
      "@typescript-eslint/no-misused-spread": "off",
      "regexp/no-super-linear-move": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
    },
  },
  {
    // they have package files of their own, so the types of their packages may not be there
    files: ["bench/**/*.js", "examples/kms/*.ts", "examples/secure-server/*.js"],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { "@typescript-eslint/no-empty-function": "off" },
    languageOptions: { parserOptions: { projectService: false } },
  },
)
