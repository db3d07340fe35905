// Package share divides slots among workspaces, so that none of them keeps the
// others from what all need.
//
// The next slot goes to the workspace that used least lately, and a workspace that
// is alone may use all of them. Who keeps a slot for long while somebody waits is
// moved aside: it goes on in one of a few further slots, of which one workspace has
// half at most, and its own is free again. Its workspace is slow then, for as long
// as that lasts and a minute more, and the last free slot is not for slow ones. So
// one workspace whose work hangs delays another by Config.Patience at most, and no
// work is cut for it.
//
// Memory is shared without a clock: the more a workspace holds, the less it may hold
// beside others.
//
// It refuses to let any number of calls of one workspace wait. It knows nothing of
// the work: who holds a slot has to give it back, by a deadline of its own.
package share
