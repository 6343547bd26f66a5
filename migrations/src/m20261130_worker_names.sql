-- What an operator calls a worker; none where nobody named it. Of those that live, no two have the same.
ALTER TABLE workers ADD COLUMN name TEXT;
