// Package processors says how many processors a process may use, and keeps the network heard while all of them
// are busy.
package processors

import "runtime"

// spare is how many more goroutines run at once than there are processors.
const spare = 4

var count = runtime.GOMAXPROCS(0)

// Count is how many processors the process may use at once: the machine's, or what GOMAXPROCS or the limit of its
// control group leave of them. Work that a processor bounds is sized by it, and not by runtime.GOMAXPROCS.
func Count() int { return count }

// Share lets the system, and not the Go scheduler, share the processors out among busy goroutines. The Go scheduler
// lets a goroutine run for 10 ms and asks the network only when nothing else is to be run, so that on a small machine
// whatever computes for long delays each step of an event by that time; with some more threads the system does both,
// in turns of 3 ms. It is to be called before anything asks runtime.GOMAXPROCS, and does nothing where the variable
// GOMAXPROCS is set. A later change of the control group's limit is not followed.
func Share() {
	runtime.GOMAXPROCS(count + spare)
}
