// git, against local repositories, in three shells.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '../../src/core/remote.ts'
import { Secret } from '../../src/core/secret.ts'
import { git } from '../../src/modules/git.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { act } from './harness.ts'

/** git is no applet of busybox, so its ash is met with the programs of this machine. */
const shells = { dash: ['/bin/dash'], busybox: ['busybox', 'sh'], bash: ['/bin/bash', '--posix'] }

describe.each(Object.entries(shells))('git under %s', (_name, shell) => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-git-'))
  const origin = join(folder, 'origin')
  const run = (command: string): string =>
    execFileSync('sh', ['-c', command], {
      cwd: folder,
      env: {
        ...process.env,
        GIT_AUTHOR_NAME: 'x',
        GIT_AUTHOR_EMAIL: 'x@x',
        GIT_COMMITTER_NAME: 'x',
        GIT_COMMITTER_EMAIL: 'x@x',
      },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .toString()
      .trim()
  let session: Session
  beforeAll(async () => {
    session = await openLocalSession({ shell })
    run(
      'git init -q -b main origin && cd origin && echo 1 >f && git add f && git commit -qm 1 && git tag -a v1 -m v1 && git checkout -qb next && echo 2 >f && git commit -qam 2 && git checkout -q main',
    )
  })
  afterAll(async () => {
    await session.close()
    rmSync(folder, { recursive: true })
  })
  const dest = join(folder, 'dest')
  const at = (args: object = {}) => act(makeTarget({ session }), git, { repo: origin, dest, ...args })
  const text = (): string => readFileSync(join(dest, 'f'), 'utf8')

  it('clones, moves, follows', async () => {
    const first = run('git -C origin rev-parse main')
    expect(await at()).toMatchObject({ changed: true, values: { before: null, after: first } })
    expect(await at()).toMatchObject({ changed: false, values: { before: first, after: first } })
    expect((await at({ version: 'next' })).changed).toBe(true)
    expect(text()).toBe('2\n')
    expect(await at({ version: 'v1' })).toMatchObject({ changed: true, values: { after: first } })
    expect((await at({ version: first })).changed).toBe(false)
    run('cd origin && echo 3 >f && git commit -qam 3')
    expect((await at({ update: false })).changed).toBe(false)
    expect((await at({ version: 'main' })).changed).toBe(true)
    expect(text()).toBe('3\n')
    expect(run('git -C dest status -sb')).toBe('## main...origin/main')
  })

  it('foresees in check mode, and changes nothing', async () => {
    const dest = join(folder, 'foreseen')
    const git_dir = join(folder, 'foreseen.git')
    const one = (check: boolean, more: object = {}) =>
      act(makeTarget({ session, check }), git, { repo: origin, dest, version: 'main', ...more })
    const head = run('git -C origin rev-parse main')
    const made = { changed: true, values: { before: null, after: head } }
    expect(await one(true)).toMatchObject(made)
    expect(existsSync(dest)).toBe(false)
    expect(await one(false)).toMatchObject(made)
    expect((await one(true)).changed).toBe(false)
    const next = run('git -C origin rev-parse next')
    expect(await one(true, { version: 'next' })).toMatchObject({ changed: true, values: { after: next } })
    expect(await one(true, { repo: `${origin}/.git` })).toMatchObject({
      changed: true,
      values: { after: head, remote_url_changed: true },
    })
    const moved = { git_dir_before: join(dest, '.git'), git_dir_now: git_dir }
    expect(await one(true, { separate_git_dir: git_dir })).toMatchObject({ changed: true, values: moved })
    writeFileSync(join(dest, 'f'), 'mine\n')
    await expect(one(true)).rejects.toThrow(/Local modifications exist/)
    expect((await one(true, { force: true })).changed).toBe(true)
    expect(readFileSync(join(dest, 'f'), 'utf8')).toBe('mine\n')
    expect(run('git -C foreseen rev-parse HEAD')).toBe(head)
    expect(run('git -C foreseen remote get-url origin')).toBe(origin)
    expect(statSync(join(dest, '.git')).isDirectory()).toBe(true)
  })

  it('takes another git, a umask, a refspec and words for ssh', async () => {
    const program = (name: string, body: string): string => {
      writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 })
      return join(folder, name)
    }
    const executable = program('my git', `echo "$1" >>'${folder}/calls'\nexec git "$@"`)
    run('git -C origin update-ref refs/odd/one main')
    const at2 = { dest: join(folder, 'dest2'), executable, umask: '0077', single_branch: true }
    expect((await at({ ...at2, refspec: 'refs/odd/one:refs/odd/here' })).changed).toBe(true)
    expect(readFileSync(join(folder, 'calls'), 'utf8')).toContain('ls-remote\n')
    expect(run('git -C dest2 rev-parse refs/odd/here')).toBe(run('git -C origin rev-parse main'))
    expect(run('stat -c %a dest2/f')).toBe('600')
    program('ssh', `printf '[%s]' "$@" >'${folder}/words'; exit 1`)
    const t = { ...makeTarget({ session }), environment: { PATH: `${folder}:${process.env['PATH']}` } }
    const over = { repo: 'me@host.invalid:x', dest: join(folder, 'dest3'), ssh_opts: "-o 'User=a b' -p 23" }
    await expect(act(t, git, over)).rejects.toThrow(/cannot read me@host.invalid:x/)
    expect(readFileSync(join(folder, 'words'), 'utf8')).toMatch(
      /^\[-o\]\[BatchMode=yes\]\[-o\]\[User=a b\]\[-p\]\[23\]/,
    )
    await expect(at({ executable: join(folder, 'none') })).rejects.toThrow(
      /Failed to find required executable/,
    )
  })

  it('keeps changes of files unless told not to', async () => {
    writeFileSync(join(dest, 'f'), 'mine\n')
    await expect(at()).rejects.toThrow(/Local modifications exist/)
    expect(text()).toBe('mine\n')
    expect((await at({ force: true })).changed).toBe(true)
    expect(text()).toBe('3\n')
  })

  it('refuses', async () => {
    await expect(at({ version: 'none' })).rejects.toThrow(/no branch, no tag and no commit/)
    await expect(at({ repo: join(folder, 'none') })).rejects.toThrow(/cannot read/)
    await expect(at({ repo: new Secret('https://u:p@x/y', 'url') })).rejects.toThrow(/secret in the URL/)
    expect((await at({ dest: join(folder, 'shallow'), depth: 1, repo: `file://${origin}` })).changed).toBe(
      true,
    )
    expect(run('git -C shallow rev-list --count HEAD')).toBe('1')
    await expect(at({ dest: undefined })).rejects.toThrow(/dest is missing/)
    writeFileSync(join(folder, 'file'), '')
    await expect(at({ dest: folder })).rejects.toThrow(/is not empty and holds no git repository/)
  })

  it('tells what there is without a checkout', async () => {
    const main = run('git -C origin rev-parse main')
    const none = { dest: undefined, clone: false, update: false }
    expect(await at(none)).toMatchObject({ changed: true, values: { before: null, after: main } })
  })

  it('fetches everything, or one branch, or a bare repository', async () => {
    await at({ dest: join(folder, 'all'), version: 'next' })
    expect(run('git -C all describe --tags')).toMatch(/^v1-1-g/)
    expect(run('git -C all branch -r')).toBe('origin/main\n  origin/next')
    // HEAD is then the branch that is checked out, as for ansible.
    expect((await at({ dest: join(folder, 'all') })).changed).toBe(false)
    const one = { dest: join(folder, 'one'), single_branch: true }
    await at(one)
    expect(run('git -C one branch -r')).toMatch(/origin\/HEAD -> origin\/main\n {2}origin\/main$/)
    const bare = { dest: join(folder, 'bare.git'), bare: true, reference: origin }
    expect((await at(bare)).changed).toBe(true)
    expect((await at(bare)).changed).toBe(false)
    expect(run('git -C bare.git rev-parse --is-bare-repository HEAD')).toBe(
      `true\n${run('git -C origin rev-parse main')}`,
    )
    expect(readFileSync(join(folder, 'bare.git/objects/info/alternates'), 'utf8')).toBe(
      `${origin}/.git/objects\n`,
    )
    expect(run('find bare.git/objects -type f -name "*.pack" | wc -l')).toBe('0')
    run('cd origin && echo 4 >f && git commit -qam 4 && git tag -f v1')
    expect((await at(bare)).changed).toBe(true)
    expect(run('git -C bare.git rev-parse v1')).toBe(run('git -C origin rev-parse main'))
  })

  it('keeps the git folder elsewhere, and moves it', async () => {
    const one = { dest: join(folder, 'apart'), separate_git_dir: join(folder, 'apart.git') }
    expect((await at(one)).changed).toBe(true)
    expect(statSync(join(folder, 'apart/.git')).isFile()).toBe(true)
    expect((await at(one)).changed).toBe(false)
    expect((await at({ ...one, separate_git_dir: join(folder, 'moved.git') })).changed).toBe(true)
    expect(existsSync(join(folder, 'apart.git'))).toBe(false)
    expect((await at({ dest: one.dest })).changed).toBe(false)
    await expect(at({ ...one, separate_git_dir: origin })).rejects.toThrow(/is there already/)
    writeFileSync(join(folder, 'apart/.git'), 'gitdir: /none\n')
    await expect(at({ dest: one.dest })).rejects.toThrow(/no git repository that can be used/)
  })

  it('brings submodules, as recorded or the newest', async () => {
    run('git init -q -b main part && cd part && echo 1 >p && git add p && git commit -qm 1')
    run(
      'git clone -q origin whole && cd whole && git -c protocol.file.allow=always submodule add -q ../part part && git commit -qm part',
    )
    run('cd part && echo 2 >p && git commit -qam 2')
    const t = {
      ...makeTarget({ session }),
      environment: {
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'protocol.file.allow',
        GIT_CONFIG_VALUE_0: 'always',
      },
    }
    const args = { repo: join(folder, 'whole'), dest: join(folder, 'whole2') }
    const part = (): string => readFileSync(join(folder, 'whole2/part/p'), 'utf8')
    expect((await act(t, git, args)).changed).toBe(true)
    expect(part()).toBe('1\n')
    expect((await act(t, git, args)).changed).toBe(false)
    const newest = { ...args, track_submodules: true }
    expect((await act(t, git, { ...newest, force: true })).changed).toBe(true)
    expect(part()).toBe('2\n')
    expect((await act(t, git, { ...args, dest: join(folder, 'whole3'), recursive: false })).changed).toBe(
      true,
    )
    expect(existsSync(join(folder, 'whole3/part/p'))).toBe(false)
  })

  it('writes archives', async () => {
    const one = { dest: join(folder, 'packed'), archive: join(folder, 'packed.tar.gz'), archive_prefix: 'x/' }
    expect((await at(one)).changed).toBe(true)
    expect(run('tar tzf packed.tar.gz')).toBe('x/\nx/f')
    expect((await at(one)).changed).toBe(false)
    await expect(at({ ...one, archive: join(folder, 'packed.rar') })).rejects.toThrow(/has to end with/)
    await expect(at({ archive_prefix: 'x/' })).rejects.toThrow(/archive_prefix needs archive/)
  })

  it('verifies who signed before anything is checked out', async () => {
    const key = (name: string) =>
      run(`ssh-keygen -q -t ed25519 -N '' -f ${name} && cut -d' ' -f1,2 ${name}.pub`)
    const [good] = [key('good'), key('bad')]
    writeFileSync(join(folder, 'allowed'), `x@x ${good}\n`)
    const signed = (by: string) => `git -c gpg.format=ssh -c user.signingkey=../${by}.pub`
    run(`git init -q -b main sworn && cd sworn && ${signed('good')} commit -q -S --allow-empty -m 1`)
    const pairs = { 'gpg.format': 'ssh', 'gpg.ssh.allowedSignersFile': join(folder, 'allowed') }
    const settings = Object.entries(pairs).flatMap(([name, value], at) => [
      [`GIT_CONFIG_KEY_${at}`, name],
      [`GIT_CONFIG_VALUE_${at}`, value],
    ])
    const t = {
      ...makeTarget({ session }),
      environment: { GIT_CONFIG_COUNT: '2', ...Object.fromEntries(settings) },
    }
    const args = { repo: join(folder, 'sworn'), dest: join(folder, 'sworn2'), verify_commit: true }
    expect((await act(t, git, args)).changed).toBe(true)
    run(`cd sworn && ${signed('bad')} commit -q -S --allow-empty -m 2`)
    await expect(act(t, git, args)).rejects.toThrow(/Failed to verify the signature of HEAD/)
    expect(run('git -C sworn2 log --format=%s')).toBe('1')
    run(`cd sworn && ${signed('good')} tag -s -m t v1`)
    expect((await act(t, git, { ...args, version: 'v1' })).changed).toBe(true)
    expect(run('git -C sworn2 log --format=%s')).toBe('2\n1')
  })
})

describe('git and the keys of gpg', () => {
  const folder = mkdtempSync('/tmp/rota-gpg-')
  const run = (command: string): string =>
    execFileSync('sh', ['-c', command], {
      cwd: folder,
      env: { ...process.env, GNUPGHOME: folder },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .toString()
      .trim()
  afterAll(() => {
    run('gpgconf --kill all')
    rmSync(folder, { recursive: true })
  })

  it('takes only signatures by those that are named', async () => {
    run('chmod 700 . && gpg --batch --passphrase "" --quick-gen-key x@example.org ed25519 sign never')
    const key = run('gpg --list-keys --with-colons | sed -n "s/^fpr:*\\([0-9A-F]*\\):/\\1/p" | head -n 1')
    expect(key).toMatch(/^[0-9A-F]{40}$/)
    run(
      'git init -q sworn && cd sworn && git -c user.name=x -c user.email=x@example.org -c user.signingkey=x@example.org commit -q -S --allow-empty -m 1',
    )
    const session = await openLocalSession({ shell: ['/bin/dash'] })
    try {
      const t = { ...makeTarget({ session }), environment: { GNUPGHOME: folder } }
      const args = { repo: join(folder, 'sworn'), dest: join(folder, 'copy'), verify_commit: true }
      const other = { ...args, gpg_whitelist: ['0'.repeat(40)] }
      await expect(act(t, git, other)).rejects.toThrow(/by none of the keys of gpg_whitelist/)
      expect((await act(t, git, { ...args, gpg_whitelist: ['0'.repeat(40), key] })).changed).toBe(true)
    } finally {
      await session.close()
    }
  })
})
