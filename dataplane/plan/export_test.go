package plan

// Staged is staged, for tests.
var Staged = staged

// Written is written.
var Written = written
