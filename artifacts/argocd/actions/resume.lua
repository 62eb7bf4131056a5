-- Weir acts once an id; this one is of the second and of the version that is acted on.
local os = require("os")
local id = "argocd-" .. os.time() .. "-" .. obj.metadata.resourceVersion
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["weir.dev/command"] =
  '{"id":"' .. id .. '","verb":"resume","reason":"an action in Argo CD","actor":"argocd"}'
return obj
