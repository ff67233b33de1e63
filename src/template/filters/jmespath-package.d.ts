/** What is used of the package jmespath, which brings no types. */
declare module 'jmespath' {
  /** The value that a JMESPath expression gives for plain data. Throws Error for an expression that cannot be evaluated. */
  export function search(data: unknown, expression: string): unknown
}
