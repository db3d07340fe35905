// Package dedupe knows which events a partition has seen: exact, for a window
// of days, on disk, in bounded memory.
//
// It is the durable home of keys that the partition's journal has no more. What is
// not on disk here yet is replayed from there, after Position. A key remembers where
// it was first seen, so a frame that is read again is not its own duplicate, and
// an index that knows more keys than the journal does no harm.
//
// Keys are collected in memory, written as sorted runs, and runs are merged.
// In memory are 1.4 bytes for each key on disk, the keys that are not written
// yet, and one merge's buffers and filter. A new key is looked up in filters
// only; about one in a hundred of those lies and costs a read. When writing or
// merging does not keep up, First waits; nothing grows.
//
// Config.Most bounds the keys on disk, and with them the memory. Past it keys are
// forgotten early, oldest first, of the owner who has most, down to a level that
// the others stay below: nobody shortens the window of somebody who sends less
// than he does. State says how long a window is left, and whose.
//
// A file is named by the manifest only after it and its folder are durable, and
// removed only after the manifest does not name it, so a crash at any moment
// leaves the index of the last manifest. Every byte of a run is covered by a
// checksum. What is damaged costs its own keys, a bucket of about 64 or a run: their
// events may be delivered twice, and State counts them. A key is never taken for
// one that was seen. With Config.Rebuild, where the journal has all keys, the next
// Open replays them instead.
//
// It refuses to forget when frames come from more than an hour ahead of the
// clock; Jumped tells. What cannot be written, as on a full disk, is tried again
// until it can, and First waits for it when memory is full; nothing is lost.
package dedupe
