// Package heap gives a JavaScript engine memory that can be put back: Save keeps
// what the engine holds, and Restore brings it to that state again, to the byte,
// in some ten microseconds. Whatever code did in between to globals, prototypes,
// closures, built-in objects or module variables is gone, because the engine
// keeps all of it in this memory and nothing of it elsewhere.
//
// A Heap belongs to one VM and is as little safe for concurrent use as that.
// Values that Go held when Save was called stay usable; those that were made
// later must not be touched after Restore, and need not be freed before it. What
// the engine holds is limited as by its own allocator (VM.SetMemoryLimit).
package heap
