-- Health of a Deployment for Argo CD: what Argo CD says of one itself, but that a pause of Weir's is none.
-- Without this a Deployment under Weir is Suspended for good, and so is its application.
local hs = {}
local status = obj.status or {}

local function pausedByWeir()
  for _, entry in ipairs(obj.metadata.managedFields or {}) do
    if entry.manager == "weir" and entry.operation == "Apply" then
      local spec = (entry.fieldsV1 or {})["f:spec"]
      if spec ~= nil and spec["f:paused"] ~= nil then
        return true
      end
    end
  end
  return false
end

if obj.spec.paused and not pausedByWeir() then
  hs.status = "Suspended"
  hs.message = "Deployment is paused"
  return hs
end
if (status.observedGeneration or 0) < (obj.metadata.generation or 0) then
  hs.status = "Progressing"
  hs.message = "the Deployment's controller has not looked at this version of it yet"
  return hs
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Progressing" and condition.reason == "ProgressDeadlineExceeded" then
    hs.status = "Degraded"
    hs.message = "the Deployment exceeded its progress deadline"
    return hs
  end
end

local wanted = obj.spec.replicas or 1
local all = status.replicas or 0
local updated = status.updatedReplicas or 0
local available = status.availableReplicas or 0
hs.status = "Progressing"
if updated < wanted then
  hs.message = updated .. " of " .. wanted .. " pods are of the new template"
elseif all > updated then
  hs.message = (all - updated) .. " old pods are on their way out"
elseif available < updated then
  hs.message = available .. " of " .. updated .. " pods are available"
else
  hs.status = "Healthy"
end
return hs
