// Questions to the panel and its database as anybody outside may ask them: what a rotation is judged by.
import pg from 'pg'

/** Each question over a connection of its own: one kept from before a restart would be dead. */
const alone = { connection: 'close' }

/** 'accepted' or the server's own answer to a login over TCP: SQLSTATE 28P01 is a refused password. */
export async function askDatabase(url: string): Promise<'accepted' | 'refused'> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 })
  try {
    await client.connect()
    return 'accepted'
  } catch (error) {
    if ((error as { code?: string }).code === '28P01') return 'refused'
    throw error
  } finally {
    await client.end()
  }
}

/** The rows of one question to the database. */
export async function queryDatabase(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

export interface Login {
  readonly status: number
  readonly accessToken?: string
  readonly refreshToken?: string
}
export async function login(url: string, env: Readonly<Record<string, string>>): Promise<Login> {
  const answer = await fetch(`${url}/api/auth/login`, {
    method: 'POST',
    headers: { ...alone, 'content-type': 'application/json' },
    body: JSON.stringify({ email: env['ADMIN_EMAIL'], password: env['ADMIN_PASSWORD'] }),
  })
  return { ...((await answer.json()) as object), status: answer.status }
}

/** The HTTP status of a page for the holder of a token. */
export async function visit(url: string, page: string, token: string | undefined): Promise<number> {
  const headers = token === undefined ? alone : { ...alone, authorization: `Bearer ${token}` }
  return (await fetch(`${url}${page}`, { headers })).status
}

export const pages = ['/rbac', '/profile', '/system', '/audit-logs'] as const
