package plan

// Staged is staged, for tests.
var Staged = staged
