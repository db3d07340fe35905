// Package journal keeps what became of every event of one partition: the state
// that its records add up to, the one writer of the log, and the recovery that
// reads it. The records and their form on disk are package record's.
//
// It guarantees that an owner which lost the partition cannot write (every append
// is expected to be the next one, and the first record under a new epoch fences
// former owners), that the settlements of one report are in one record, that
// nothing overtakes what it needs (openings, then fans, then settlements, then
// drains), and that a recovery reads a bounded tail. That tail is all that the log
// keeps: what two checkpoints and the dedupe index do not need is purged, so dedupe
// keys do not fill it. The counts of the ledger are part of the record that holds
// the settlements, so they cannot come apart.
//
// One code path applies a record, for the owner that wrote it and for a recovery
// that reads it. A record that is missing or cannot be read is a flaw that is
// reported and never stops delivery: frames that may have been opened in it are
// read as new ones. It refuses a journal of a newer version, and one that has
// neither its beginning nor a whole checkpoint.
package journal
