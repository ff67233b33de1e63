// An account that has a number and no name, as containers run programs.
import { expect, it, vi } from 'vitest'
import { resolveLogin } from '../../src/remote/ssh-config.ts'

vi.mock('node:os', async load => ({
  ...(await load<typeof import('node:os')>()),
  userInfo: () => {
    throw new Error('uv_os_get_passwd returned ENOENT')
  },
}))

const wanted = {
  name: 'web1',
  host: 'web1.invalid',
  identityFiles: ['/keys/%u-%r'],
  knownHostsFiles: ['/k'],
  hostKeyChecking: 'accept-new' as const,
  sshArgs: [],
  connectTimeoutMs: 1000,
}

it('logs in as whom the inventory names, else says that nobody is named', async () => {
  const login = await resolveLogin({ ...wanted, user: 'deploy' })
  expect(login).toMatchObject({ user: 'deploy', identityFiles: ['/keys/-deploy'] })
  await expect(resolveLogin(wanted)).rejects.toThrow('web1: nobody says as whom to log in')
})
