package deliver

import "weir/dataplane/delivery"

// The nouns of delivery under the names they had here.
type (
	Ref = delivery.Ref
	Place = delivery.Place
	Delivery = delivery.Delivery
	Stage = delivery.Stage
	End = delivery.End
	Settled = delivery.Settled
	Drained = delivery.Drained
)

// The constants of delivery under the names they had here.
const (
	Live = delivery.Live
	FromParked = delivery.FromParked
	FromDead = delivery.FromDead
	EndDelivered = delivery.EndDelivered
	EndDropped = delivery.EndDropped
	EndParked = delivery.EndParked
	EndDead = delivery.EndDead
	EndQuarantined = delivery.EndQuarantined
)
