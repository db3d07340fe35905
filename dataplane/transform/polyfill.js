(function (global) {
  "use strict";
  function define(name, value) { Object.defineProperty(global, name, { value, writable: true, configurable: true, enumerable: false }); }
  define("queueMicrotask", function queueMicrotask(f) {
    if (typeof f !== "function") throw new TypeError("queueMicrotask takes a function");
    Promise.resolve().then(f);
  });
})
