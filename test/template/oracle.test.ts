// Outcomes of the real Jinja2 and Ansible (Debian's python3-jinja2 3.1.2 and ansible-core 2.14.18 with the result rules of
// 2.19), through the public Templar: values with their types, texts, errors with name and line.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type Case, difference } from './cases.ts'
import { parseJsonKeepingFloats } from './engine.ts'

const load = (name: string): { cases: Case[]; vars?: Record<string, unknown> } =>
  parseJsonKeepingFloats(readFileSync(join(import.meta.dirname, name), 'utf8'))

/** Where we differ, and why. */
const known: Readonly<Record<string, string>> = {
  'ansible-53': 'nothing is an empty text, as in Ansible’s default mode',
  'ansible-54': 'of None nothing comes out, as of ansible-core; the oracle is without its finalizer',
  'formatting-04': 'as ansible-54',
  'ansible-filters-147': 'a date that leaves an expression is its text',
  'ansible-filters-153': 'a date that leaves an expression is its text',
  'ansible-filters-228': 'the oracle cannot evaluate inf; Ansible 2.19 gives the float',
  'ansible-lookups-24': 'a variable that is not there fails the lookup, which no default() takes away',
  'ansible-lookups-12': 'sequence takes its options by name, too, as documented',
  'ansible-lookups-14': 'subelements leaves the element whole, as documented',
  f00025: 'unique compares what Python cannot hash, as Ansible’s own unique does',
  f03403: '`x is defined if y` is a condition here and a syntax error there',
}

it('evaluates the cases as Jinja2 and Ansible do', () => {
  const { cases } = load('jinja.cases.json')
  expect(cases.length).toBe(534)
  const wrong = cases.flatMap(test => {
    const problem = difference(test)
    return problem === undefined ? [] : [{ id: test.id, src: test.src, problem }]
  })
  expect(wrong.filter(({ id }) => !(id in known))).toEqual([])
})

it('has Ansible’s filters, tests and lookups', () => {
  const { cases } = load('ansible.cases.json')
  expect(cases.length).toBe(339)
  const wrong = cases.flatMap(test => {
    const problem = difference(test)
    return problem === undefined ? [] : [{ id: test.id, src: test.src, problem }]
  })
  expect(wrong.filter(({ id }) => !(id in known))).toEqual([])
})

it('evaluates 4,000 random expressions as Jinja2 does', () => {
  const { cases, vars } = load('fuzz.cases.json')
  expect(cases.length).toBe(4000)
  const wrong = cases.flatMap(test => {
    const problem = difference({ ...test, vars: vars! })
    return problem === undefined ? [] : [{ id: test.id, src: test.src, problem }]
  })
  expect(wrong.filter(({ id }) => !(id in known))).toEqual([])
})
