-- Whose an item on the site is: of the member that the account was there when it was claimed or last listed.
ALTER TABLE remote_items ADD COLUMN member_id TEXT;
UPDATE remote_items SET member_id = (
    SELECT accounts.member_id FROM accounts
    WHERE accounts.id = remote_items.account_id AND accounts.site = remote_items.site
);
