package authn

import "time"

// How many failed sign-ins are tolerated in a window.
const (
	window        = 5 * time.Minute
	mostPerPeer   = 30
	mostPerPerson = 10 // of one account from one peer, so that nobody can lock out another's account
	mostPerDevice = 10 // of one account from one device that signed in before

	// acquainted is how long an address is known as one that an account signed in
	// from: what strangers behind the same proxy do counts less there.
	acquainted = 30 * 24 * time.Hour
)
