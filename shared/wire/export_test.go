package wire

// CodesOf lets tests declare kinds of their own.
var CodesOf = codesOf
