package hub

import (
	"github.com/nats-io/jwt/v2"

	"weir/shared/id"
	"weir/shared/wire/bucket"
)

// maxSubscriptions is how many subscriptions a plane's connection may hold; it
// needs two or three.
const maxSubscriptions = 20

// permit writes into u exactly what plane p may do on the hub: watch its own
// pointers with the one consumer that bears its name, which all processes of the
// plane share and which sends to an inbox of the plane, read its own bodies and
// secrets by key, write its own acks and beat, and get answers on its own inbox.
//
// There is no wildcard for consumer names: a random name would need one, and
// then planes of one account could pull from each other's consumers. There is
// no STREAM.INFO: it lists the subjects of all planes. Buckets that planes
// write forbid roll-ups (see keep), with which a plane could empty them.
func permit(u *jwt.UserClaims, p id.Plane) {
	own := string(p)
	pointers := bucket.Pointers.Stream()
	u.Permissions.Pub.Allow.Add(
		"$JS.API.CONSUMER.CREATE."+pointers+"."+own+"."+bucket.Pointers.Subject(own+".>"),
		"$JS.API.CONSUMER.MSG.NEXT."+pointers+"."+own,
		"$JS.API.CONSUMER.DELETE."+pointers+"."+own,
		"$JS.API.DIRECT.GET."+bucket.Bodies.Stream()+"."+bucket.Bodies.Subject(own+".*"),
		"$JS.API.DIRECT.GET."+bucket.Secrets.Stream()+"."+bucket.Secrets.Subject(own+".>"),
		bucket.Acks.Subject(own+".*"),
		bucket.Beats.Subject(own),
	)
	u.Permissions.Sub.Allow.Add(bucket.Inbox(p) + ".>")
	u.Limits.Subs = maxSubscriptions
	u.Limits.Payload = bucket.MaxBeat + 64<<10
}
