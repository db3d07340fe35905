package wire

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

const (
	maxPath     = 256 // bytes of a Problem's path
	maxProblems = 500 // of one Ack
	maxAlarms   = 500 // of one Beat
	maxKinds    = 2_000
)

// The most counts of one Beat, and the most objects of one Alarm.
const (
	MaxCounts  = 50_000
	MaxObjects = 10
)

var (
	softwareVersion = regexp.MustCompile(`^v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]{1,40})?(\+[0-9A-Za-z.-]{1,40})?$`)
	serverName      = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$`)
	kindName        = regexp.MustCompile(`^[a-z][a-z0-9]{0,31}$`)
)

// Check refuses a pointer that does not say all it has to.
func (p Pointer) Check() error {
	switch {
	case !id.Valid(p.Plane) || !id.Valid(p.Workspace) || !workspace.ValidRegion(p.Region):
		return fault.New(fault.Invalid, "A pointer names a plane, a workspace and a region.")
	case p.Number == 0:
		return fault.New(fault.Invalid, "A pointer's number is from 1.")
	case p.Tombstone && p.Digest != "" || !p.Tombstone && !p.Digest.Valid():
		return fault.New(fault.Invalid, "A pointer has the digest of its body, a tombstone has none.")
	}
	return nil
}

// Cleaned returns a with nothing in it that may not go up, and how many codes
// were replaced because they are not declared.
func (a Ack) Cleaned() (Ack, int) {
	replaced := 0
	a.Format = Version
	problems := make([]Problem, 0, min(len(a.Problems), maxProblems))
	for _, p := range a.Problems[:min(len(a.Problems), maxProblems)] {
		if !p.Code.Known() {
			p.Code = Undeclared
			replaced++
		}
		p.Path = cleanPath(p.Path)
		problems = append(problems, p)
	}
	a.Problems = problems
	if a.State == Applied {
		a.Problems = nil
	}
	return a, replaced
}

// Check refuses an ack that a plane of ours would not send.
func (a Ack) Check() error {
	ok := a.Format == Version && id.Valid(a.Plane) && id.Valid(a.Workspace) && a.Number > 0 &&
		(a.Digest == "" || a.Digest.Valid()) && (a.State == Applied || a.State == Rejected) && len(a.Problems) <= maxProblems &&
		(a.State == Rejected || len(a.Problems) == 0)
	for _, p := range a.Problems {
		ok = ok && p.Code.Known() && p.Path == cleanPath(p.Path)
	}
	if !ok {
		return fault.New(fault.Invalid, "An ack of plane %s says something that no ack may say.", Clip(string(a.Plane)))
	}
	return nil
}

// Cleaned returns b with nothing in it that may not go up, and how many codes
// were replaced because they are not declared.
func (b Beat) Cleaned() (Beat, int) {
	replaced := 0
	b.Format = Version
	if !softwareVersion.MatchString(b.Version) {
		b.Version = "0.0.0"
	}
	b.Alarms = slices.Clone(b.Alarms[:min(len(b.Alarms), maxAlarms)])
	for i := range b.Alarms {
		if !b.Alarms[i].Code.Known() {
			b.Alarms[i].Code = Undeclared
			replaced++
		}
		if r := b.Alarms[i].Reason; r != "" && !r.Known() {
			b.Alarms[i].Reason = Undeclared
			replaced++
		}
		b.Alarms[i].Objects = b.Alarms[i].Objects[:min(len(b.Alarms[i].Objects), MaxObjects)]
		b.Alarms[i].Servers = slices.DeleteFunc(slices.Clone(b.Alarms[i].Servers), func(name string) bool { return !serverName.MatchString(name) })
		b.Alarms[i].Servers = b.Alarms[i].Servers[:min(len(b.Alarms[i].Servers), MaxObjects)]
	}
	b.Counts = slices.Clone(b.Counts)
	for i := range b.Counts {
		dropped := make(map[Code]uint64, len(b.Counts[i].Dropped))
		for code, n := range b.Counts[i].Dropped {
			if !code.Known() {
				code = Undeclared
				replaced++
			}
			dropped[code] += n
		}
		b.Counts[i].Dropped = dropped
	}
	return b, replaced
}

// mostPartitions is how many partitions a plane has at most.
const mostPartitions = 256

// soundPart reports whether a process of ours would name such partitions.
func (b Beat) soundPart() bool {
	ok := serverName.MatchString(b.Process) && b.Of > 0 && b.Of <= mostPartitions && len(b.Partitions) <= b.Of
	for i, n := range b.Partitions {
		ok = ok && n >= 0 && n < b.Of && (i == 0 || n > b.Partitions[i-1])
	}
	return ok
}

// Check refuses a beat that a plane of ours would not send.
func (b Beat) Check() error {
	ok := b.Format == Version && id.Valid(b.Plane) && softwareVersion.MatchString(b.Version) &&
		webURL(b.Gateway) && webURL(b.View) && len(b.Alarms) <= maxAlarms && len(b.Kinds) <= maxKinds && len(b.Counts) <= MaxCounts
	ok = ok && (b.Process == "" || b.soundPart()) && (b.Condition == nil || b.Condition.Sound())
	for _, a := range b.Alarms {
		ok = ok && a.Code.Known() && (a.Reason == "" || a.Reason.Known()) && (a.Workspace == "" || id.Valid(a.Workspace)) && len(a.Objects) <= MaxObjects && len(a.Servers) <= MaxObjects
		for _, o := range a.Objects {
			ok = ok && a.Workspace != "" && (id.Valid(id.Source(o)) || id.Valid(id.Destination(o)))
		}
		for _, name := range a.Servers {
			ok = ok && a.Workspace == "" && serverName.MatchString(name)
		}
	}
	for _, k := range b.Kinds {
		ok = ok && slices.Contains([]string{"source", "destination", "warehouse", "transformation"}, k.Family) && kindName.MatchString(k.Name) &&
			workspace.Digest(k.Digest).Valid()
	}
	for _, c := range b.Counts {
		ok = ok && id.Valid(c.Workspace) && id.Valid(c.Source) && (c.Destination == "" || id.Valid(c.Destination))
		for code := range maps.Keys(c.Dropped) {
			ok = ok && code.Known()
		}
	}
	if !ok {
		return fault.New(fault.Invalid, "A beat of plane %s says something that no beat may say.", Clip(string(b.Plane)))
	}
	return nil
}

// webURL reports whether s is empty or an http or https address without path,
// user and query: what an operator configures, with no room for anything else.
func webURL(s string) bool {
	if s == "" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && len(s) <= 255 && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && s == u.Scheme+"://"+u.Host
}

// cleanPath returns a path in a configuration with every byte that does not
// belong into one replaced, cut to maxPath.
func cleanPath(path string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-[]", r) {
			return r
		}
		return '_'
	}, path[:min(len(path), maxPath)])
}

// Clip keeps a stranger's identifier short and printable in a text.
func Clip(s string) string { return cleanPath(s[:min(len(s), 64)]) }
