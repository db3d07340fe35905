// Package lookup keeps copies of golden records on the plane's disk, and answers what is
// known of one person from them within microseconds. It asks no warehouse for that.
//
// A copy is a file of keys and values. After each run of profiles it is brought up to date
// with the persons of whom something changed; the mark up to where is written last, so
// a feed that dies is done again from where it began, and gives the same. A copy whose
// declaration changed is made anew beside the old one, which answers meanwhile. After a
// restart a copy answers at once, with the age that it has.
//
// A person who was erased is removed and the file is written anew, so that nothing of the
// person is in its free pages. A copy is bounded in bytes: what would be larger is not made,
// and its state says so.
package lookup
