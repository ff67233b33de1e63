// want(i, want(i, s)) equals want(i, s), for states and arguments that nobody thought of; and what want never touches.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RotaError } from '../../src/core/error.ts'
import type { Module } from '../../src/core/module.ts'
import { Secret } from '../../src/core/secret.ts'
import { isSameState, type State } from '../../src/core/value.ts'
import { blockinfile } from '../../src/modules/blockinfile.ts'
import { copy } from '../../src/modules/copy.ts'
import { env_file } from '../../src/modules/env-file.ts'
import { file } from '../../src/modules/file.ts'
import { lineinfile } from '../../src/modules/lineinfile.ts'
import { template } from '../../src/modules/template.ts'
import { type FileState, heldContent } from '../../src/resources/file.ts'
import { wantMode } from '../../src/resources/mode.ts'
import { asState, withDefaults } from './harness.ts'

const account = fc.constantFrom({ name: 'root', id: 0 }, { name: 'www', id: 33 })
const line = fc.oneof(fc.constantFrom('a', 'b=1', '', '# x', 'B="q"'), fc.string({ maxLength: 6 }))
const text = fc.oneof(
  fc.array(line, { maxLength: 5 }).map(lines => lines.join('\n')),
  fc.array(line, { maxLength: 5 }).map(lines => `${lines.join('\n')}\n`),
)
const mode = fc.constantFrom('0644', '0600', '4755', '1777', '0000')
const kind = fc.constantFrom('file', 'file', 'file', 'absent', 'directory', 'link', 'fifo')

function stateOf(content: 'plain' | 'secret') {
  return fc
    .record({
      text,
      mode,
      kind,
      owner: account,
      group: account,
      wanted: fc.option(account, { nil: undefined }),
    })
    .map(({ text: held, mode: bits, kind: what, owner, group, wanted }) => {
      const terms = {
        follow: false,
        content,
        digest: true,
        times: false,
        real: '/d/f',
        found: what,
        missing: 0,
        fresh: { owner, group, isSetGroupId: false },
        owner: wanted,
        showKey: 'k',
      }
      const base = { path: '/d/f', kind: what, terms } as unknown as FileState
      if (what === 'absent') return base
      const attributes = { ...base, mode: what === 'link' ? '0777' : bits, owner, group }
      if (what === 'link') return { ...attributes, target: '../x' }
      return what === 'file' ? { ...attributes, ...heldContent(Buffer.from(held), content) } : attributes
    })
}

const asked = fc.option(fc.constantFrom('0600', '0755', 'u+x', 'go-rwx', 'a=r,u+w', 'u=rwX,g=rX,o='), {
  nil: undefined,
})
const more = (args: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined))

function isStable(module: Module, input: unknown, before: State): boolean {
  const { want } = asState(module)
  let once: State
  try {
    once = want(input, before)
  } catch (error) {
    if (error instanceof RotaError) return false
    throw error
  }
  const twice = want(input, once)
  if (!isSameState(twice, once)) expect(twice).toEqual(once)
  return true
}

/** The property, and that it was not empty: some of the wants were possible. */
function check<T>(arbitrary: fc.Arbitrary<T>, test: (value: T) => boolean): void {
  let held = 0
  fc.assert(
    fc.property(arbitrary, value => {
      if (test(value)) held++
    }),
    { numRuns: 500 },
  )
  expect(held).toBeGreaterThan(50)
}

describe('want is idempotent', () => {
  const plain = stateOf('plain')

  it('lineinfile', () => {
    const place = fc.constantFrom(
      {},
      { insertafter: 'a' },
      { insertbefore: '^b' },
      { insertbefore: 'BOF' },
      { regexp: '^b=' },
      { search_string: '#' },
    )
    const args = fc.record({
      place,
      line,
      mode: asked,
      state: fc.constantFrom('present', 'absent'),
      create: fc.boolean(),
    })
    check(fc.tuple(args, plain), ([{ place: where, ...rest }, before]) =>
      // A line that the expression does not find again is replaced again; that is the playbook's doing, not want's.
      'regexp' in where && !/^b=/m.test(rest.line)
        ? true
        : 'search_string' in where && !rest.line.includes('#')
          ? true
          : rest.line.includes('\n') ||
            isStable(
              lineinfile,
              { args: withDefaults(lineinfile, more({ path: '/d/f', ...rest, ...where })) },
              before,
            ),
    )
  })

  it('blockinfile', () => {
    const place = fc.constantFrom({}, { insertafter: 'a' }, { insertbefore: '^b' }, { insertbefore: 'BOF' })
    const args = fc.record({
      place,
      block: text,
      mode: asked,
      state: fc.constantFrom('present', 'absent'),
      create: fc.boolean(),
    })
    check(fc.tuple(args, plain), ([{ place: where, ...rest }, before]) =>
      isStable(
        blockinfile,
        { args: withDefaults(blockinfile, more({ path: '/d/f', ...rest, ...where })) },
        before,
      ),
    )
  })

  it('env_file', () => {
    const args = fc.record({
      dialect: fc.constantFrom('compose', 'dotenv', 'systemd', 'sh', 'docker', 'node'),
      create: fc.boolean(),
    })
    check(fc.tuple(args, stateOf('secret'), text), ([rest, before, value]) => {
      const input = {
        args: withDefaults(env_file, { path: '/d/f', ...rest }),
        names: ['B', 'NEW'],
        texts: [new Secret(value, 'B'), new Secret('x', 'NEW')],
      }
      return isStable(env_file, input, { ...before, dialect: rest.dialect })
    })
  })

  it('copy and template', () => {
    check(fc.tuple(text, asked, fc.boolean(), plain), ([content, bits, force, before]) => {
      const args = more({ dest: '/d/f', mode: bits, force })
      const items = [{ relative: '', kind: 'file', content: { text: content } }]
      const isCopied = isStable(
        copy,
        { args: withDefaults(copy, args), items, isFolder: false },
        { files: [before] },
      )
      const isRendered = isStable(
        template,
        { args: withDefaults(template, args), text: content, mode: bits },
        before,
      )
      expect(isCopied).toBe(isRendered)
      return isCopied
    })
  })

  it('file', () => {
    const args = fc.record({
      state: fc.constantFrom('file', 'directory', 'link', 'touch', 'absent', undefined),
      mode: asked,
      force: fc.boolean(),
    })
    check(fc.tuple(args, plain), ([given, before]) => {
      const src = given.state === 'link' ? { src: '../x' } : {}
      const input = {
        args: withDefaults(file, more({ path: '/d/f', ...given, ...src })),
        times: { modification: { kind: 'none' }, access: { kind: 'none' } },
      }
      return isStable(file, input, { files: [before] })
    })
  })
})

it('a mode is never more than twelve bits, and octal digits are taken as they are', () => {
  fc.assert(
    fc.property(fc.nat(0o7777), fc.nat(0o7777), asked, (now, digits, symbolic) => {
      expect(wantMode(digits.toString(8), now, false)).toBe(digits)
      const made = wantMode(symbolic ?? 'u+r', now, false)
      expect(made & ~0o7777).toBe(0)
    }),
  )
})
