// The table of docs/failures.md, as the drills tell it.
import type { Bound, Chapter, Charged, Drill, Sees } from './drill.ts'

const CHARGED: Readonly<Record<Charged, string>> = {
  exact: 'exactly the bill',
  more: 'the bill, and suspense for the rest',
  unproven: 'suspense',
  mixed: 'the bill; suspense for what was on its way',
  nothing: 'nothing',
}

/** Everything between the page's two marks. */
export const renderDrills = (chapters: readonly Chapter[]): string =>
  chapters.map(({ title, drills }) => [`### ${title}`, ...HEAD, ...drills.map(row), ''].join('\n')).join('\n')

const HEAD = ['| what happens | the client gets | after at most | charged |', '|---|---|---|---|']

const row = ({ what, sees, within, charged, note }: Drill): string =>
  `| ${[what, seen(sees), waits(within), CHARGED[charged] + (note === undefined ? '' : `; ${note}`)].join(' | ')} |`

function seen({ status, end, by }: Sees): string {
  if (end === 'left') return status === 0 ? '(left before an answer)' : '(left in the answer)'
  if (end === 'cut') return `${status}, then the connection is cut`
  if (status === 200) return 'its answer, whole'
  return by.startsWith('Purser: ')
    ? `${status} \`${by.slice('Purser: '.length)}\``
    : `${status} of ${by === 'provider' ? 'the provider' : by}`
}

function waits(within: Bound | null): string {
  if (within === null) return ''
  if (within.by === undefined) return 'at once'
  const time = within.ms < 1_000 ? `${within.ms} ms` : `${within.ms / 1_000} s`
  return `${time} (${within.by})`
}
