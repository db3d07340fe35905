package wire

import (
	"github.com/nats-io/jwt/v2"

	"weir/shared/id"
)

// maxSubscriptions is how many subscriptions a plane's connection may hold; it
// needs two or three.
const maxSubscriptions = 20

// permit writes into u exactly what plane p may do on the hub: watch its own
// pointers with the one consumer that bears its name, read its own bodies and
// secrets by key, write its own acks and beat, and get answers on its own inbox.
//
// There is no wildcard for consumer names: a random name would need one, and
// then planes of one account could pull from each other's consumers. There is
// no STREAM.INFO: it lists the subjects of all planes. Buckets that planes
// write forbid roll-ups (see keep), with which a plane could empty them.
func permit(u *jwt.UserClaims, p id.Plane) {
	own := string(p)
	pointers := stream(bucketPointers)
	u.Permissions.Pub.Allow.Add(
		"$JS.API.CONSUMER.CREATE."+pointers+"."+own+"."+subject(bucketPointers, own+".>"),
		"$JS.API.CONSUMER.MSG.NEXT."+pointers+"."+own,
		"$JS.API.CONSUMER.DELETE."+pointers+"."+own,
		"$JS.API.DIRECT.GET."+stream(bucketBodies)+"."+subject(bucketBodies, own+".*"),
		"$JS.API.DIRECT.GET."+stream(bucketSecrets)+"."+subject(bucketSecrets, own+".>"),
		subject(bucketAcks, own+".*"),
		subject(bucketBeats, own),
	)
	u.Permissions.Sub.Allow.Add(inbox(p) + ".>")
	u.Limits.Subs = maxSubscriptions
	u.Limits.Payload = maxBeat + 64<<10
}
