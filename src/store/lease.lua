-- Brings one account's leases up to date, by the clock of this server: what is given back and what is
-- owed first, then what is granted. Never grants beyond a limit. `src/store/shared.rs` writes ARGV and
-- reads the answer; what the numbers mean stands in `src/govern/order.rs`.
-- KEYS: requests, tokens, running, money.
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local second = math.floor(now_ms / 1000)
local MOST = 9007199254740992
local BACK = 61

local at = 0
local function text()
  at = at + 1
  return ARGV[at]
end
local function take()
  return tonumber(text()) or 0
end
local function whole(number)
  return string.format('%.0f', number)
end
local function known(value)
  return math.max(tonumber(value or '') or 0, 0)
end
local function granted_of(want, least, room)
  local granted = math.min(want, room)
  if granted < least or granted < 0 then
    return 0
  end
  return granted
end

-- Months since January 1970, of a day since 1970.
local function month_of(day)
  local z = day + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local month = math.floor((5 * doy + 2) / 153) + 2
  local year = yoe + era * 400
  return (year - 1970) * 12 + month
end

local function rate(key)
  local limit, want, least, owed, count = take(), take(), take(), take(), take()
  if limit < 0 then
    return 0, 0, 0, 0, 0
  end
  local slots, sum, changed = {}, 0, {}
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local slot, used = known(all[i]), known(all[i + 1])
    if slot < second - BACK or slot > second + BACK then
      redis.call('HDEL', key, all[i])
    else
      slots[slot] = used
      sum = sum + used
    end
  end
  for _ = 1, count do
    local slot, amount = take(), take()
    local back = math.min(amount, slots[slot] or 0)
    if back > 0 then
      slots[slot] = slots[slot] - back
      sum = sum - back
      changed[slot] = true
    end
  end
  local granted = granted_of(want, least, limit - sum - owed)
  if granted + owed > 0 then
    slots[second] = math.min((slots[second] or 0) + granted + owed, MOST)
    sum = sum + granted + owed
    changed[second] = true
  end
  for slot in pairs(changed) do
    redis.call('HSET', key, whole(slot), whole(slots[slot]))
  end
  redis.call('EXPIRE', key, BACK + 2)
  local room, left, wait, reset = limit - math.max(least, 1), sum, 0, 0
  for slot = second - BACK, second do
    local used = slots[slot] or 0
    if used > 0 then
      reset = (slot + BACK + 1) * 1000 - now_ms
      if left > room then
        left = left - used
        wait = reset
      end
    end
  end
  return granted, math.max(limit - sum, 0), second, wait, reset
end

local function running(key)
  local limit, held, want, replica, life = take(), take(), take(), text(), take()
  if limit < 0 then
    return 0, 0
  end
  local others = 0
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local count, ends = string.match(all[i + 1], '^(%d+):(%d+)$')
    if known(ends) <= now_ms then
      redis.call('HDEL', key, all[i])
    elseif all[i] ~= replica then
      others = others + known(count)
    end
  end
  local granted = math.max(held, math.min(want, math.max(limit - others, 0)))
  if granted > 0 then
    redis.call('HSET', key, replica, whole(granted) .. ':' .. whole(now_ms + life))
    redis.call('PEXPIRE', key, life)
  else
    redis.call('HDEL', key, replica)
  end
  return granted, math.max(limit - others - granted, 0)
end

local function money(key)
  local of_day, of_month, want, least, owed, count = take(), take(), take(), take(), take(), take()
  if of_day < 0 and of_month < 0 and owed == 0 and count == 0 then
    return 0, 0, 0, 0, 0
  end
  local had = redis.call('HMGET', key, 'day', 'on_day', 'month', 'in_month')
  local day, on_day, month, in_month = known(had[1]), known(had[2]), known(had[3]), known(had[4])
  local today = math.floor(second / 86400)
  -- A clock that is set back does not give a budget anew.
  if today > day then
    day, on_day = today, 0
  end
  if month_of(day) > month then
    month, in_month = month_of(day), 0
  end
  for _ = 1, count do
    local of, amount = take(), take()
    if of == day then
      on_day = math.max(on_day - amount, 0)
    end
    if month_of(of) == month then
      in_month = math.max(in_month - amount, 0)
    end
  end
  local room = MOST - math.max(on_day, in_month)
  if of_day >= 0 then
    room = math.min(room, of_day - on_day)
  end
  if of_month >= 0 then
    room = math.min(room, of_month - in_month)
  end
  local granted = granted_of(want, least, room - owed)
  on_day = math.min(on_day + granted + owed, MOST)
  in_month = math.min(in_month + granted + owed, MOST)
  redis.call('HSET', key, 'day', whole(day), 'on_day', whole(on_day), 'month', whole(month), 'in_month', whole(in_month))
  redis.call('EXPIRE', key, 2764800)
  return granted, day, month, on_day, in_month
end

local answer = {}
local function add(...)
  for _, value in ipairs({ ... }) do
    answer[#answer + 1] = value
  end
end
add(rate(KEYS[1]))
add(rate(KEYS[2]))
add(running(KEYS[3]))
add(money(KEYS[4]))
return answer
