// What the policy sets of a process are compiled with, whatever source they come from. Outlives every set.
import { createHash } from 'node:crypto'
import type { PolicySetOptions } from '../core/compiled-policy.ts'
import { GrantBook } from '../core/grants.ts'
import type { PartitionRegistry } from '../core/partition.ts'
import { ShareBook } from '../core/shares.ts'
import { PARTITION_BYTES_MAX } from '../limits.ts'

/** `partitions`: what the source remembers of partition values. */
export const policySetOptions = (partitions: PartitionRegistry): PolicySetOptions => ({
  sha256: text => createHash('sha256').update(text.toWellFormed(), 'utf8').digest('hex'),
  partitions,
  partitionBytesMax: PARTITION_BYTES_MAX,
  grants: new GrantBook(),
  shares: new ShareBook(),
})
