package command

import "weir/shared/processors"

// ShareProcessors keeps the network heard while goroutines compute; see processors.Share. GOMAXPROCS that is set is
// the operator's affair. It is to be called before the process makes what is sized by processors.
func (p Process) ShareProcessors() {
	if p.variable("GOMAXPROCS") == "" {
		processors.Share()
	}
}
