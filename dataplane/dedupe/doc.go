// Package dedupe knows which events a partition has seen: exact, for a window
// of days, on disk, in bounded memory.
//
// It is an index, not the truth: keys live in the partition's journal, and what
// was not yet on disk here is replayed from there after Position. A key
// remembers where it was first seen, so a frame that is read again is not its
// own duplicate, and an index that knows more keys than the journal does no harm.
//
// Keys are collected in memory, written as sorted runs, and runs are merged.
// In memory are 1.4 bytes for each key on disk, the keys that are not written
// yet, and one merge's buffers and filter. A new key is looked up in filters
// only; about one in a hundred of those lies and costs a read. When writing or
// merging does not keep up, First waits; nothing grows.
//
// A file is named by the manifest only after it and its folder are durable, and
// removed only after the manifest does not name it, so a crash at any moment
// leaves the index of the last manifest. Every byte of a run is covered by a
// checksum; an index that is found damaged returns errors, and the next Open
// starts anew, from the journal.
//
// It refuses to forget when frames come from more than an hour ahead of the
// clock; Jumped tells. It also refuses to go on when a run cannot be written.
package dedupe
