package apply

import (
	"slices"
	"strings"

	"weir/infra/weir/cli/console"
	"weir/shared/command"
	"weir/shared/fault"
)

// problems gathers what is wrong with a file, so that one round names all of it:
// what this machine finds, and what the control plane says of the rest.
type problems struct {
	local, remote []fault.Problem
}

// add takes the problems of err, which this machine found. It returns err when that
// has none, so that nothing can go on.
func (p *problems) add(err error) error {
	found := fault.ProblemsOf(err)
	if err != nil && len(found) == 0 {
		return err
	}
	p.local = append(p.local, found...)
	return nil
}

// answered takes what the control plane says, but what only follows from a problem
// that this machine found: of the same place, of another key of the same object when
// a key is unknown, or of a secret whose value is not there.
func (p *problems) answered(found []fault.Problem) {
	for _, one := range found {
		at := path(one)
		if !slices.ContainsFunc(p.local, func(l fault.Problem) bool {
			here := path(l)
			return at == here || strings.HasPrefix(here, at+".") || l.Code != "secret_unreadable" && parent(at) == parent(here)
		}) {
			p.remote = append(p.remote, one)
		}
	}
}

// err is everything as one error, or nil.
func (p *problems) err() error {
	return fault.Problems("the configuration cannot be applied, and nothing was changed", slices.Concat(p.local, p.remote))
}

// unasked is err when the control plane could not be asked, because of reason.
func (p *problems) unasked(k *console.Console, reason error) error {
	if len(p.local) == 0 {
		return reason
	}
	k.Note("weir: the control plane did not check the file: %s", command.Sentence(reason))
	return p.err()
}

// path is a problem's path in the document, without the place in the file.
func path(p fault.Problem) string { return p.Path[strings.LastIndexByte(p.Path, ' ')+1:] }

// parent returns a path without its last step.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '.'); i > 0 {
		return path[:i]
	}
	return ""
}
