// A program that a module needs and the host lacks: the error says what to type there.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '../../src/core/remote.ts'
import { sh } from '../../src/core/script.ts'
import { expect as expectModule } from '../../src/modules/expect.ts'
import { git } from '../../src/modules/git.ts'
import { accept } from '../../src/resources/file.ts'
import { renderInstallHint } from '../../src/resources/missing-program.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { act, shells } from './harness.ts'

const every = 'on the host: apt-get install bsdutils, or dnf install util-linux, or apk add util-linux-misc'

describe('a program that is not there', () => {
  let session: Session
  beforeAll(async () => {
    session = await openLocalSession({ shell: shells['busybox']! })
  })
  afterAll(() => session.close())

  it('is named with its package, for each manager where the host has none of them', async () => {
    const t = makeTarget({ session })
    await expect(
      act(t, expectModule, { command: 'x', responses: new Map([['a', 'b']]) }),
    ).rejects.toMatchObject({ problems: [{ hint: every }] })
    await expect(act(t, git, { repo: '/x', dest: '/x' })).rejects.toMatchObject({
      problems: [
        {
          message: 'Failed to find required executable "git"',
          hint: 'on the host: apt-get install git, or dnf install git, or apk add git',
        },
      ],
    })
  })

  it('is known by what the shell says of it too', async () => {
    const t = makeTarget({ session })
    const ran = await t.run(sh`ssh-keygen --help`)
    expect(() => accept(t, ran)).toThrow(
      expect.objectContaining({
        problems: [expect.objectContaining({ hint: expect.stringContaining('apk add openssh-keygen') })],
      }),
    )
  })

  it('is named for the manager of the host', async () => {
    const t = makeTarget({ session })
    const ran = await t.run(sh`yum() { :; }; rt_need /opt/bin/pg_dump`)
    expect(ran.values).toEqual({ lacks: '/opt/bin/pg_dump yum' })
    expect(ran.stderr.toString()).toContain('this host has no /opt/bin/pg_dump')
    expect(renderInstallHint('/opt/bin/pg_dump', 'yum')).toBe('on the host: yum install postgresql')
  })
})
