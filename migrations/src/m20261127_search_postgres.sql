ALTER TABLE search_documents ADD COLUMN words TSVECTOR NOT NULL;
CREATE INDEX search_documents_words ON search_documents USING GIN (words) WITH (fastupdate = off);
CREATE INDEX search_documents_newest ON search_documents (space, id DESC);
