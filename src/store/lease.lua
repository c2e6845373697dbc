-- Brings one account's leases up to date, by the clock of this server, if that is right: what is given back and what is
-- owed first, then what is granted. Never grants beyond a limit. `src/store/shared_counters.rs` writes ARGV and
-- reads the answer; what the numbers mean stands in `src/govern/lease/lease_request.rs`.
-- KEYS: requests, tokens, running, money, who holds something, the replica's last order, the epoch.
local MOST = 9007199254740992
local BACK = 61
local READY = 5
local NEAR = 4
-- How long counters that have forgotten everything grant nothing: every replica is heard meanwhile.
local SETTLE = 2000

-- The largest difference of two clocks that is no jump.
local JUMP = 60000
-- A day in the future ends where it is so far away, in seconds.
local AHEAD = 3600

local at = 0
local function text()
  at = at + 1
  return ARGV[at]
end
local function take()
  return tonumber(text()) or 0
end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- The replica's time is checked against several clocks: where this server's has jumped it is good.
local checked_ms = take()
if math.abs(now_ms - checked_ms) > JUMP then
  now_ms = checked_ms
end
local second = math.floor(now_ms / 1000)
local function whole(number)
  return string.format('%.0f', number)
end
local function known(value)
  return math.max(tonumber(value or '') or 0, 0)
end
local is_settling, is_short = false, false
-- What this order is granted and charged of each kind.
local KINDS = { '#requests', '#tokens', '#places', '#money' }
local given = { 0, 0, 0, 0 }
local function granted_of(want, wanted, least, room)
  if is_settling then
    room = 0
  end
  local granted = math.min(want, room)
  if granted < wanted then
    is_short = true
  end
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

local function rate(key, kind)
  local limit, want, wanted, least, ready, owed, count = take(), take(), take(), take(), take(), take(), take()
  if limit < 0 then
    return 0, 0, 0, 0, 0, 0
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
  local granted = granted_of(want, wanted, least, limit - sum - owed)
  if granted + owed > 0 then
    slots[second] = math.min((slots[second] or 0) + granted + owed, MOST)
    sum = sum + granted + owed
    changed[second] = true
  end
  if is_settling or limit - sum - ready < limit / NEAR then
    ready = 0
  end
  if ready > 0 then
    local late = second + READY
    slots[late] = math.min((slots[late] or 0) + ready, MOST)
    sum = sum + ready
    changed[late] = true
  end
  given[kind] = granted + owed + ready
  for slot in pairs(changed) do
    redis.call('HSET', key, whole(slot), whole(slots[slot]))
  end
  redis.call('EXPIRE', key, BACK + READY + 2)
  local room, left, wait, reset = limit - math.max(least, 1), sum, 0, 0
  for slot = second - BACK, second + READY do
    local used = slots[slot] or 0
    if used > 0 then
      reset = (slot + BACK + 1) * 1000 - now_ms
      if left > room then
        left = left - used
        wait = reset
      end
    end
  end
  return granted, ready, math.max(limit - sum, 0), second, wait, reset
end

local function running(key, promised)
  local limit, held, want, wanted, replica, life = take(), take(), take(), take(), text(), take()
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
  if is_settling then
    want = held
  end
  local granted = math.max(held, math.min(want, math.max(limit - others, 0)))
  if granted < wanted then
    is_short = true
  end
  given[3] = math.max(granted - held - promised, 0)
  if granted > 0 then
    redis.call('HSET', key, replica, whole(granted) .. ':' .. whole(now_ms + life))
    redis.call('PEXPIRE', key, life)
  else
    redis.call('HDEL', key, replica)
  end
  return granted, math.max(limit - others - granted, 0)
end

local function money(key, epoch, of_account, is_again)
  local of_day, of_month, want, wanted, least, owed, count = take(), take(), take(), take(), take(), take(), take()
  local known_day, known_on_day, known_month, known_in_month = take(), take(), take(), take()
  if of_day < 0 and of_month < 0 and owed == 0 and count == 0 then
    return { 0, 0, 0, 0, 0 }
  end
  local had = redis.call('HMGET', key, 'day', 'on_day', 'month', 'in_month', 'base_day', 'base_month')
  local base_day, base_month = known(had[5]), known(had[6])
  local day, on_day, month, in_month = known(had[1]), known(had[2]), known(had[3]), known(had[4])
  local today = math.floor(second / 86400)
  -- A clock that is set back does not give a budget anew. Nor does a period in the future go on until
  -- then: what was spent in it counts in the one of today.
  local is_ahead = day * 86400 - second > AHEAD
  if today > day then
    day, on_day, base_day = today, 0, 0
  elseif is_ahead then
    day = today
  end
  if month_of(day) > month then
    month, in_month, base_month = month_of(day), 0, 0
  elseif is_ahead then
    month = month_of(day)
  end
  -- Counters that began anew go on from what is known to have been spent: by a replica that knew the
  -- ones before, the most of any counts, and what has come and gone since; by one that has only
  -- records, these are the least.
  local function more(now, base, said)
    if epoch == of_account then
      return 0
    elseif of_account ~= '' then
      return math.max(said - base, 0)
    end
    return math.max(said - now, 0)
  end
  local more_on_day = known_day == day and more(on_day, base_day, known_on_day) or 0
  local more_in_month = known_month == month and more(in_month, base_month, known_in_month) or 0
  on_day, base_day = on_day + more_on_day, base_day + more_on_day
  in_month, base_month = in_month + more_in_month, base_month + more_in_month
  -- It may have been carried out, and be a part of that.
  if is_again and epoch ~= of_account then
    count = 0
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
  local granted = granted_of(want, wanted, least, room - owed)
  given[4] = granted + owed
  on_day = math.min(on_day + granted + owed, MOST)
  in_month = math.min(in_month + granted + owed, MOST)
  redis.call('HSET', key, 'day', whole(day), 'on_day', whole(on_day), 'month', whole(month), 'in_month', whole(in_month),
    'base_day', whole(base_day), 'base_month', whole(base_month))
  redis.call('EXPIRE', key, 2764800)
  return { granted, day, month, on_day, in_month }
end

-- The epoch of these counters; one begins where there is none.
local function epoch_of(key, fresh, has_known_one)
  local had = redis.call('HMGET', key, 'id', 'settles')
  if had[1] then
    return had[1], known(had[2])
  end
  local settles = 0
  if has_known_one then
    settles = now_ms + SETTLE
  end
  redis.call('HSET', key, 'id', fresh, 'settles', whole(settles))
  redis.call('EXPIRE', key, 3456000)
  return fresh, settles
end

-- Adds up what was granted and charged of each kind, by all orders. Sums that are too large for exact
-- numbers begin anew.
local function total(key)
  local sums = redis.call('HMGET', key, unpack(KINDS))
  for kind, field in ipairs(KINDS) do
    local sum = known(sums[kind]) + given[kind]
    if sum > MOST then
      sum = 0
    end
    if given[kind] > 0 then
      redis.call('HSET', key, field, whole(sum))
    end
    sums[kind], given[kind] = sum, 0
  end
  redis.call('EXPIRE', key, 3600)
  return sums
end

-- Asks the others who hold something to give back what they do not use, for requests that find too
-- little; gives the number of that, 1 while an answer is outstanding, and what others hold of each kind
-- for requests that wait.
local function recall(key, name, me, recalled, answered, gives_up, holds, pledged)
  local number, open = recalled, 0
  local waits = { 0, 0, 0, 0 }
  if is_short and number == 0 then
    number = redis.call('HINCRBY', key, '#', 1)
  end
  -- Of each: the last recall that it has answered, the last one that it was asked, what it holds for
  -- requests that wait.
  local all = is_short and redis.call('HGETALL', key) or {}
  for i = 1, #all, 2 do
    local other = all[i]
    local said, asked, rest = string.match(all[i + 1], '^(%d+) (%d+) ([%d ]+)$')
    if rest and other ~= me then
      if known(said) >= number then
        local kind = 0
        for amount in string.gmatch(rest, '%d+') do
          kind = kind + 1
          waits[kind] = math.min((waits[kind] or 0) + known(amount), MOST)
        end
      elseif gives_up then
        redis.call('HDEL', key, other)
      else
        open = 1
        if known(asked) < number then
          local list = 'ringway:recall:' .. other
          redis.call('RPUSH', list, whole(number) .. ' ' .. name)
          redis.call('LTRIM', list, -1000, -1)
          redis.call('PEXPIRE', list, 5000)
          redis.call('HSET', key, other, said .. ' ' .. whole(number) .. ' ' .. rest)
        end
      end
    end
  end
  if holds then
    local _, asked = string.match(redis.call('HGET', key, me) or '', '^(%d+) (%d+) ')
    local last = math.max(known(asked), answered)
    redis.call('HSET', key, me, whole(answered) .. ' ' .. whole(last) .. ' ' .. table.concat(pledged, ' '))
  else
    redis.call('HDEL', key, me)
  end
  return number, open, waits
end

local name, me, id, is_again = text(), text(), text(), take() == 1
local fresh, of_process, of_account = text(), text(), text()
local recalled, gives_up, answered, holds = take(), take() == 1, take(), take() == 1
local pledged = { whole(take()), whole(take()), whole(take()), whole(take()) }
local epoch, settles = epoch_of(KEYS[7], fresh, of_process ~= '')
is_settling = now_ms < settles
local answer = {}
local function add(...)
  for _, value in ipairs({ ... }) do
    answer[#answer + 1] = value
  end
end
add(running(KEYS[3], tonumber(pledged[3])))
-- An order that was carried out is not carried out again, but for what it says of now.
local before = redis.call('GET', KEYS[6])
local head = id .. ' ' .. epoch .. ' '
if before and string.sub(before, 1, #head) == head then
  local places = answer
  answer = {}
  for number in string.gmatch(string.sub(before, #head + 1), '%d+') do
    answer[#answer + 1] = tonumber(number)
  end
  answer[1], answer[2] = places[1], places[2]
  total(KEYS[5])
  answer[#answer + 1] = epoch
  return answer
end
add(rate(KEYS[1], 1))
add(rate(KEYS[2], 2))
local granted = money(KEYS[4], epoch, of_account, is_again)
add(granted[1], granted[2], granted[3], granted[4], granted[5])
local took = answer[1] + answer[3] + answer[4] + answer[9] + answer[10] + answer[15] > 0
local number, open, waits = recall(KEYS[5], name, me, recalled, answered, gives_up, holds or took, pledged)
if is_settling and is_short then
  open = 1
end
add(number, open)
add(unpack(total(KEYS[5])))
add(unpack(waits, 1, 4))
for i = 1, #answer do
  answer[i] = math.floor(answer[i])
end
local text_of = {}
for i = 1, #answer do
  text_of[i] = whole(answer[i])
end
redis.call('SET', KEYS[6], head .. table.concat(text_of, ' '), 'EX', 3600)
answer[#answer + 1] = epoch
return answer
