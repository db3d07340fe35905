package health

// Limits is what slow decides by.
var Limits = limits
