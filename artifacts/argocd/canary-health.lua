-- Health of a Canary for Argo CD. It is read off the conditions alone, which say the same for every strategy.
local hs = {}
local status = obj.status
if status == nil or status.phase == nil then
  hs.status = "Progressing"
  hs.message = "Weir has not looked at it yet"
  return hs
end

local said = {}
for _, condition in ipairs(status.conditions or {}) do
  said[condition.type] = condition
end
local function holds(kind)
  return said[kind] ~= nil and said[kind].status == "True"
end
local function message(kind)
  if said[kind] == nil or said[kind].message == nil then
    return ""
  end
  return said[kind].message
end

-- awaited: a person has paused the run, or it waits for one at a step or before the promotion.
local function awaited()
  local run = status.run
  if run == nil then
    return false
  end
  for _, gate in ipairs(status.gates or {}) do
    if gate.name == "manual" and gate.run == run.id and gate.state == "Closed" then
      return true
    end
  end
  return run.paused ~= nil or said.Ready ~= nil and said.Ready.reason == "Paused"
end

hs.message = message("Ready")
if obj.metadata.deletionTimestamp ~= nil then
  hs.status = "Progressing"
elseif status.observedGeneration ~= obj.metadata.generation then
  hs.status = "Progressing"
  hs.message = "Weir has not looked at this version of it yet"
elseif holds("Stalled") then
  -- A run that was rolled back is this, too, until the template changes.
  hs.status = "Degraded"
  hs.message = message("Stalled")
elseif holds("Suspended") then
  hs.status = "Suspended"
  hs.message = message("Suspended")
elseif awaited() then
  hs.status = "Suspended"
elseif holds("Ready") then
  hs.status = "Healthy"
else
  hs.status = "Progressing"
  if status.run ~= nil then
    hs.message = "weight " .. (status.weight or 0) .. ": " .. hs.message
  end
end
return hs
